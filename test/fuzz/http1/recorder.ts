import { Duplex } from 'node:stream';

/** A socket that keeps what is written. */
export class Recorder extends Duplex {
  text = '';
  constructor() {
    super({ allowHalfOpen: true, decodeStrings: true });
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('latin1');
    done();
  }
}
