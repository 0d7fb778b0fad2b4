import { type FieldList, Fields, LinkInfo, NO_FIELDS, RequestHead, VOLATILE } from '../head.ts';
import { isReserved } from '../reserved-fields.ts';
import { PROTOCOLS, type ThriftProtocol } from './message-head.ts';
import { type MessageStart, type ThriftTransport, TRANSPORTS } from './message-reader.ts';

export const THRIFT_CONTENT_TYPE = 'application/x-thrift';

/** How a call travels: the value of `outrider-thrift`. */
export interface ThriftCallInfo {
  readonly transport: ThriftTransport;
  readonly protocol: ThriftProtocol;
  readonly oneway: boolean;
}

export const formatCallInfo = ({ transport, protocol, oneway }: ThriftCallInfo): string =>
  `${transport};${protocol};${oneway ? 'oneway' : 'call'}`;

/** Undefined when it is none: it came over the network. */
export const parseCallInfo = (text: string): ThriftCallInfo | undefined => {
  const [first, second, kind, ...rest] = text.split(';');
  const transport = TRANSPORTS.find(known => known === first);
  const protocol = PROTOCOLS.find(known => known === second);
  if (transport === undefined || protocol === undefined || rest.length > 0) return undefined;
  return kind === 'call' || kind === 'oneway' ? { transport, protocol, oneway: kind === 'oneway' } : undefined;
};

/** Anything but the plainest characters is percent-encoded, so that a name of any bytes makes one segment of a path. */
const segment = (name: string): string =>
  name.replace(/[^A-Za-z0-9_.]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

/** `/<service>/<method>`; a call that is not multiplexed names no service: `/-/<method>`. */
export const callPath = (name: string): string => {
  const at = name.indexOf(':');
  return at < 1 ? `/-/${segment(name)}` : `/${segment(name.slice(0, at))}/${segment(name.slice(at + 1))}`;
};

/** The name as it was sent, for people and metrics. */
export const callName = (path: string): string => {
  const [, service = '', method = ''] = path.split('/');
  return service === '-' ? method : `${service}:${method}`;
};

/** Names come from the network, so the heads that are kept have a limit; a full table is emptied. */
const MAX_HEADS = 1_000;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]{0,1024}$/;
/** HTTP's own: a THeader of this name would mean something else on the link. */
const NOT_ON_LINK: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'cookie',
  'content-length',
  'content-type',
]);

/** The request heads of Thrift calls, the same object for the same call. Owned by a listener's state. */
export class CallHeads {
  private readonly heads = new Map<string, RequestHead>();

  get(authority: string, transport: ThriftTransport, start: MessageStart, oneway: boolean): RequestHead {
    const stable = stableFields(start.headers);
    const info = formatCallInfo({ transport, protocol: start.protocol, oneway });
    const key = stable.length === 0 ? `${info} ${start.name}` : `${info} ${start.name}\n${stable.join('\n')}`;
    let head = this.heads.get(key);
    if (head === undefined) {
      const fields = new Fields(['content-type', THRIFT_CONTENT_TYPE, ...stable]);
      const link = new LinkInfo('', 0, '', info);
      head = new RequestHead('POST', 'http', authority, callPath(start.name), fields, '', link);
      if (this.heads.size >= MAX_HEADS) this.heads.clear();
      this.heads.set(key, head);
    }
    return head;
  }
}

/** The THeaders that can be fields, with names in lower case: what routes match. The message itself keeps all of them as they are. */
const stableFields = (headers: readonly string[]): FieldList => {
  if (headers.length === 0) return NO_FIELDS;
  const list: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = (headers[i + 1] as string).trim();
    const fits = HEADER_NAME.test(name) && HEADER_VALUE.test(value) && !VOLATILE.has(name);
    if (fits && !isReserved(name) && !NOT_ON_LINK.has(name)) list.push(name, value);
  }
  return list;
};
