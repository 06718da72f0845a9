// thimble size: placeholder
export async function runSize(_n: string, _o: object): Promise<void> {}
