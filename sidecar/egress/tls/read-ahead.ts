/** So much of an answer may wait for the caller before no more of it is read. */
export const READ_AHEAD_BYTES = 65_536;
