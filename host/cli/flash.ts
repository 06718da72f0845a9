// thimble flash: placeholder
export async function runFlash(_n: string, _o: object): Promise<void> {}
