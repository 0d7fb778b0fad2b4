import net from 'node:net';
import { BulkBlocks } from './bulk-blocks.ts';

const BLOCK_BYTES = 65_536;
/** A read of so many bytes (a whole TLS record) is part of a large body: the next ones go into a block of the socket's own, and are not copied. */
const BULK_BYTES = 16_384;

/** Where the sockets of this thread read. What was read is taken out before the next read. */
const SCRATCH = Buffer.allocUnsafeSlow(BLOCK_BYTES);
const BLOCKS = new BulkBlocks();

/** The keys under which a `net.Socket` keeps what its option `onread` asks for; undefined where Node has other ones. */
const ON_READ_KEYS = ((): readonly [symbol, symbol, symbol] | undefined => {
  const symbols = Object.getOwnPropertySymbols(new net.Socket());
  const named = (name: string): symbol | undefined => symbols.find(symbol => symbol.description === name);
  const keys = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')] as const;
  return keys.includes(undefined) ? undefined : (keys as readonly [symbol, symbol, symbol]);
})();

/**
 * Makes a connected socket, TLS or not, read into memory that is there already instead of 64 KiB of new memory for each read, and
 * without the stream's buffering where nothing waits in it; both together are half of the time that a small read costs. Chunks
 * belong to who gets them, as ever. `net.connect` has an option for such reads (`onread`), accepted sockets have not: they are given
 * what that option sets. False, and nothing is changed, where Node does not work that way, and for a socket that was changed before.
 */
export const readIntoScratch = (socket: net.Socket): boolean => {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (ON_READ_KEYS === undefined || typeof handle !== 'object' || handle === null) return false;
  const [buffer, callback, next] = ON_READ_KEYS;
  const useUserBuffer: unknown = Reflect.get(handle, 'useUserBuffer');
  if (typeof useUserBuffer !== 'function' || Reflect.get(socket, buffer) !== null) return false;
  let nextInto: Buffer = SCRATCH;
  Reflect.set(socket, buffer, SCRATCH);
  Reflect.set(socket, callback, (bytes: number, into: Buffer): boolean => {
    const chunk = into === SCRATCH ? copyOf(bytes) : into.subarray(0, bytes);
    nextInto = bytes < BULK_BYTES ? SCRATCH : restOrNewBlock(into, bytes);
    if (socket.readableFlowing !== true || socket.readableLength > 0) return socket.push(chunk);
    socket.emit('data', chunk);
    return true;
  });
  Reflect.set(socket, next, () => nextInto);
  Reflect.apply(useUserBuffer, handle, [SCRATCH]);
  return true;
};

const copyOf = (bytes: number): Buffer => {
  const chunk = Buffer.allocUnsafe(bytes);
  SCRATCH.copy(chunk, 0, 0, bytes);
  return chunk;
};

const restOrNewBlock = (block: Buffer, used: number): Buffer =>
  block !== SCRATCH && block.length - used >= BULK_BYTES ? block.subarray(used) : BLOCKS.take(BLOCK_BYTES);
