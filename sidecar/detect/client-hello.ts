/** What a TLS client says first (RFC 8446 §4.1.2), as far as it tells whose TLS it is and where it leads. */
export interface ClientHello {
  /** The server's name (RFC 6066 §3), lower-case, without a last dot; '' when none is said. */
  readonly serverName: string;
  /** Application protocols (RFC 7301), in order of preference. */
  readonly alpn: readonly string[];
}

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
/** RFC 8446 §5.1. */
const MAX_RECORD = 16_384;
/** Nobody says so much: those with keys of post-quantum kinds have some 2,000 bytes. */
const MAX_HELLO = 32_768;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;
const NAME = /^(?=.{1,253}$)[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/;

/** A part of the message was longer than what it is in. */
class Malformed extends Error {}

/** Reads through bytes that are all there. */
class Reader {
  private at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw new Malformed();
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  /** A number of so many bytes, most significant first. */
  number(bytes: 1 | 2): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  /** What follows a length of so many bytes. */
  vector(bytes: 1 | 2): Buffer {
    return this.take(this.number(bytes));
  }
}

/** Undefined: the bytes may still become a ClientHello. null: they are none, or one that no server would take. Looks at 32 KiB at most. */
export const parseClientHello = (bytes: Buffer): ClientHello | null | undefined => {
  const message = helloMessage(bytes);
  if (!Buffer.isBuffer(message)) return message;
  try {
    return readHello(message);
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
};

/** The message behind its head, put together where it comes in several records. */
const helloMessage = (bytes: Buffer): Buffer | null | undefined => {
  const parts: Buffer[] = [];
  let have = 0;
  for (let at = 0; ; ) {
    const left = bytes.length - at;
    if (left > 0 && bytes[at] !== HANDSHAKE_RECORD) return null;
    if (left > 1 && bytes[at + 1] !== 3) return null;
    if (left < RECORD_HEAD) return undefined;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD) return null;
    const part = bytes.subarray(at + RECORD_HEAD, at + RECORD_HEAD + length);
    if (have === 0 && part.length > 0 && part[0] !== CLIENT_HELLO) return null;
    parts.push(part);
    have += part.length;
    if (have >= MESSAGE_HEAD) {
      const message = parts.length === 1 ? part : Buffer.concat(parts);
      const size = MESSAGE_HEAD + message.readUIntBE(1, 3);
      if (size > MAX_HELLO) return null;
      if (have >= size) return message.subarray(MESSAGE_HEAD, size);
    }
    if (part.length < length) return undefined;
    at += RECORD_HEAD + length;
  }
};

const readHello = (message: Buffer): ClientHello => {
  const reader = new Reader(message);
  reader.take(2 + 32); // version and random
  reader.vector(1); // session id
  reader.vector(2); // cipher suites
  reader.vector(1); // compression methods
  let serverName = '';
  let alpn: readonly string[] = [];
  const extensions = new Reader(reader.isAtEnd ? Buffer.alloc(0) : reader.vector(2));
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const content = new Reader(extensions.vector(2));
    if (type === SERVER_NAME) serverName = readServerName(content);
    else if (type === ALPN) alpn = readAlpn(content);
  }
  return { serverName, alpn };
};

const readServerName = (content: Reader): string => {
  const names = new Reader(content.vector(2));
  while (!names.isAtEnd) {
    const type = names.number(1);
    const name = names.vector(2).toString('latin1').toLowerCase().replace(/\.$/, '');
    if (type === HOST_NAME) return NAME.test(name) ? name : '';
  }
  return '';
};

const readAlpn = (content: Reader): string[] => {
  const list = new Reader(content.vector(2));
  const protocols: string[] = [];
  while (!list.isAtEnd) protocols.push(list.vector(1).toString('latin1'));
  return protocols;
};
