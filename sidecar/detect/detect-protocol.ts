import type net from 'node:net';
import type { Clock } from '../../common/clock.ts';

/** What the first bytes of a connection tell. */
export type Detected = 'http1' | 'http2';

const HTTP2_START = Buffer.from('PRI * HTTP/2.0', 'latin1');
/** A client that says nothing for so long is let go. */
const FIRST_BYTE_MS = 60_000;

/** `http2` for the connection preface (RFC 9113 §3.4), undefined while the bytes could still become one, else `http1`. */
export const detectHttp = (bytes: Buffer): Detected | undefined => {
  const size = Math.min(bytes.length, HTTP2_START.length);
  if (bytes.compare(HTTP2_START, 0, size, 0, size) !== 0) return 'http1';
  return size === HTTP2_START.length ? 'http2' : undefined;
};

/** What becomes of a client that waits for the server to speak first. */
export interface Silence {
  readonly afterMs: number;
  readonly onSilent: () => void;
  /** Also when it began and did not go on. */
  readonly always?: boolean;
}

/**
 * Reads until the protocol is known, then hands over the bytes that were read, with no listener left behind.
 * A connection that ends or stays silent before that is closed; with `silence`, one that said nothing is handed over as that says.
 */
export const detectProtocol = <Told>(
  socket: net.Socket,
  clock: Clock,
  detect: (bytes: Buffer) => Told | undefined,
  done: (detected: Told, bytes: Buffer) => void,
  onClose: () => void,
  silence?: Silence,
): void => {
  let bytes: Buffer = Buffer.alloc(0);
  const leave = (): void => {
    timer.cancel();
    socket.off('data', onData).off('end', give).off('error', give).off('close', give);
  };
  const give = (): void => {
    leave();
    socket.on('error', ignore);
    socket.destroy();
    onClose();
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const detected = detect(bytes);
    if (detected === undefined) return;
    leave();
    done(detected, bytes);
  };
  const onSilent = (): void => {
    if (silence === undefined) return give();
    if (bytes.length > 0 && silence.always !== true) {
      timer = clock.setTimer(FIRST_BYTE_MS, give);
      return;
    }
    leave();
    socket.pause();
    silence.onSilent();
  };
  let timer = clock.setTimer(silence?.afterMs ?? FIRST_BYTE_MS, onSilent);
  socket.on('data', onData).on('end', give).on('error', give).on('close', give).resume();
};

const ignore = (): void => {};
