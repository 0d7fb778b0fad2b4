import type { MessageStart } from './message-reader.ts';

/** Numbers that take one byte in every protocol, so that a message keeps its length. 0 is left to servers that do not repeat the number. */
const NUMBERS = 127;

/** The sequence number behind `last`, for a message to the app that has `bytes` bytes for it. */
export const nextSequence = (last: number): number => (last % NUMBERS) + 1;

/** Writes another sequence number over the one of the message, in its own width; JSON's stays, which is text. `shift`: from the positions to `into`. */
export const writeSequence = (into: Buffer, start: MessageStart, sequence: number, shift: number): void => {
  const at = start.sequenceAt + shift;
  if (start.headerSequenceAt >= 0) into.writeInt32BE(sequence, start.headerSequenceAt + shift);
  if (start.protocol === 'binary') into.writeInt32BE(sequence, at);
  if (start.protocol === 'compact') writeVarint(into, at, start.sequenceBytes, sequence);
};

/** A variable-length number in exactly `bytes` bytes; the last ones may be empty groups. */
const writeVarint = (into: Buffer, at: number, bytes: number, value: number): void => {
  let rest = value >>> 0;
  for (let i = 0; i < bytes; i++) {
    into[at + i] = (rest & 0x7f) | (i < bytes - 1 ? 0x80 : 0);
    rest >>>= 7;
  }
};

const varintBytes = (value: number): number => {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
};

/**
 * The reply's bytes with the caller's own sequence number, from the message's beginning on. The number may need more bytes than the
 * app's: `grown` of them are added, for the length of a frame.
 */
export const restoreSequence = (
  chunk: Buffer,
  start: MessageStart,
  sequence: number,
): { readonly bytes: Buffer; readonly grown: number } => {
  const { messageAt, sequenceAt, sequenceBytes, protocol } = start;
  const width = protocol === 'compact' ? varintBytes(sequence) : sequenceBytes;
  const grown = width - sequenceBytes;
  const bytes = Buffer.allocUnsafe(chunk.length - messageAt + grown);
  chunk.copy(bytes, 0, messageAt, sequenceAt + sequenceBytes);
  chunk.copy(bytes, sequenceAt - messageAt + width, sequenceAt + sequenceBytes);
  writeSequence(bytes, { ...start, sequenceBytes: width }, sequence, -messageAt);
  return { bytes, grown };
};
