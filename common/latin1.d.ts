/** Node's own fast paths for latin1, which its types leave out. */
interface Buffer {
  latin1Slice(start: number, end: number): string;
  /** The number of bytes written. */
  latin1Write(text: string, offset: number, length: number): number;
}
