// thimble new: placeholder
export async function runNew(_n: string, _o: object): Promise<void> {}
