// What a board says of a chunk of an update, beside ErrorCode.

/**
 * Added to the chunks that are missing where this one came too early and was not taken: the sender is to go back. There are never
 * so many chunks.
 */
export const UPDATE_GAP = 0x10000;
