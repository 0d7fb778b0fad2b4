import v8 from 'node:v8';
import vm from 'node:vm';

/**
 * V8 begins a collection of the whole heap when buffers that nobody freed are as large as the heap itself (some 20 MB at least), without looking
 * whether they are young: at 300 MB/s that is a third of the CPU time. Well before that, collecting what is young frees nearly all of them, in less
 * than a millisecond. Measured: 12 MB is often enough, 16 MB is not.
 */
const COLLECT_BYTES = 8_388_608;

/** Blocks of memory for large bodies, which come and go quickly. One for each thread. */
export class BulkBlocks {
  private sinceCollection = 0;
  private collect: (() => void) | undefined = undefined;

  /** A block that is its holder's alone; not zeroed. */
  take(bytes: number): Buffer {
    this.sinceCollection += bytes;
    if (this.sinceCollection >= COLLECT_BYTES) {
      this.sinceCollection = 0;
      this.collect ??= youngCollection();
      this.collect();
    }
    return Buffer.allocUnsafeSlow(bytes);
  }
}

const youngCollection = (): (() => void) => {
  v8.setFlagsFromString('--expose-gc');
  const collect: unknown = vm.runInNewContext('gc');
  return typeof collect === 'function' ? () => void Reflect.apply(collect, undefined, [{ type: 'minor' }]) : () => {};
};
