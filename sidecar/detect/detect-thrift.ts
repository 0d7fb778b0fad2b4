import { MAX_MESSAGE_BYTES } from '../protocol/thrift/limits.ts';
import type { ThriftProtocol } from '../protocol/thrift/message-head.ts';
import { parseMessageStart, type ThriftTransport } from '../protocol/thrift/message-reader.ts';

/** How the calls of a connection are written; `tcp`: they are not calls that we read, so the bytes are passed on as they are. */
export type DetectedThrift = { readonly transport: ThriftTransport; readonly protocol: ThriftProtocol } | 'tcp';

const JSON_START = Buffer.from('[1,"', 'latin1');
/** A first message of which so much came has said what it is. */
const MAX_BYTES = 16_384;

/**
 * Tells the transport and the protocol by the first bytes of a connection to a port that is declared as Thrift; undefined while more must come.
 * On doubt the bytes are plain TCP: SASL, TLS, the old binary protocol and transformed THeader messages are.
 */
export const detectThrift = (bytes: Buffer): DetectedThrift | undefined => {
  const unframed = detectMessage(bytes, 0);
  if (unframed === 'more') return undefined;
  if (unframed !== undefined) return { transport: 'unframed', protocol: unframed };
  if (bytes.length < 4) return undefined;
  const length = bytes.readInt32BE(0);
  if (length < 4 || length > MAX_MESSAGE_BYTES) return 'tcp';
  const framed = detectMessage(bytes, 4);
  if (framed === 'more') return undefined;
  if (framed !== undefined) return { transport: 'framed', protocol: framed };
  if (bytes.readUInt16BE(4) !== 0x0fff) return 'tcp';
  const start = parseMessageStart('header', 'binary', bytes, 0);
  if (start === undefined) return bytes.length > MAX_BYTES ? 'tcp' : undefined;
  return typeof start === 'string' ? 'tcp' : { transport: 'header', protocol: start.protocol };
};

/** The protocol of the message at `at`, `more` while that is open, undefined when it is none. */
const detectMessage = (bytes: Buffer, at: number): ThriftProtocol | 'more' | undefined => {
  const first = bytes[at];
  const second = bytes[at + 1];
  if (first === undefined) return 'more';
  if (first === 0x5b) {
    const size = Math.min(JSON_START.length, bytes.length - at);
    if (bytes.compare(JSON_START, 0, size, at, at + size) !== 0) return undefined;
    return size === JSON_START.length ? 'json' : 'more';
  }
  if (second === undefined) return 'more';
  if (first === 0x80 && second === 0x01) return 'binary';
  return first === 0x82 && (second & 0x1f) === 1 ? 'compact' : undefined;
};
