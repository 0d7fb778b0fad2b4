/**
 * Heads: what a request or a response says before its body.
 *
 * RPC traffic repeats itself, so heads are split in three: the *fields that stay the same* (`Fields`, interned: the same
 * object for the same bytes), the request line (`RequestHead`, interned per `Fields` while the cache has room) and the
 * *volatile fields* (`traceparent`, `content-length`, …), a plain list made anew for each message. Everything that can be
 * derived from a head is kept on the interned object and costs nothing the next time.
 */

/** Flat: name, value, name, value, …; names lower-case, values latin1 without leading or trailing white space. */
export type FieldList = readonly string[];

export const NO_FIELDS: FieldList = Object.freeze([]);

/** The fields that change with every request. They travel last, as never-indexed literals, and are never part of an interned head. */
export const VOLATILE: ReadonlySet<string> = new Set([
  'content-length',
  'content-range',
  'date',
  'age',
  'etag',
  'expires',
  'last-modified',
  'range',
  'if-none-match',
  'if-modified-since',
  'grpc-timeout',
  'traceparent',
  'tracestate',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-request-id',
  'x-outrider-detail',
  'outrider-timeout-ms',
  'outrider-attempt',
]);

/** The value of the first field called `name` (lower-case), or undefined. */
export const fieldValue = (list: FieldList, name: string): string | undefined => {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return list[i + 1];
  return undefined;
};

/** The shape of a request that came by HTTP/2 on a connection that was redirected: its client knows what the app speaks, and nobody declared anything else. */
export const HTTP2_SHAPE = '2';

/** The stable fields of a head. Immutable but for the caches, which hold what codecs derive from it. */
export class Fields {
  readonly list: FieldList;
  /**
   * How an HTTP/1 peer wrote the whole head: `<version>;<name>,<name>,…`, the names in order and in their own spelling,
   * volatile ones and Transfer-Encoding (which tells the framing) included, hop-by-hop ones not. Empty when it came by
   * HTTP/2, `HTTP2_SHAPE` when that must stay HTTP/2. It crosses the link as `outrider-h1`.
   */
  readonly http1Shape: string;
  /** Cache of the HTTP/1 codec. */
  http1Template: object | undefined = undefined;
  /** Caches of the HTTP/2 codec: the fields as HPACK, and the shape as HPACK. */
  hpackBlock: Buffer | undefined = undefined;
  hpackShape: Buffer | undefined = undefined;

  constructor(list: FieldList, http1Shape = '') {
    this.list = list;
    this.http1Shape = http1Shape;
  }
}

/** The stable `outrider-*` fields of a request on the link (docs: the mesh link). One object for many requests. */
export class LinkInfo {
  /** `outrider-to`: `service.namespace`, or ''. */
  readonly to: string;
  /** `outrider-port`: the app port; 0: the first declared one. */
  readonly port: number;
  /** `outrider-route`: the caller's route, for logs; or ''. */
  readonly route: string;
  /** `outrider-thrift`, or ''. */
  readonly thrift: string;
  /** Cache of the HTTP/2 codec. */
  hpackBlock: Buffer | undefined = undefined;

  constructor(to: string, port: number, route = '', thrift = '') {
    this.to = to;
    this.port = port;
    this.route = route;
    this.thrift = thrift;
  }
}

/**
 * The head of a request.
 * `authority`: HTTP/1's Host (or the authority of an absolute-form target), HTTP/2's `:authority`; '' when there is none. It is not in `fields`.
 * `path`: the request target in origin-form (or `*`); '' for CONNECT.
 * `protocol`: '' or the token of an Upgrade (`websocket`); then `method` is GET here, and extended CONNECT on HTTP/2 (RFC 8441).
 */
export class RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly fields: Fields;
  readonly protocol: string;
  /** What the calling sidecar said about this request; only on heads that came over the link. */
  readonly link: LinkInfo | undefined;
  /** The method of a Hessian call, as its body says it; '' where that is compressed. Undefined: it is no such call. */
  readonly rpcMethod: string | undefined;
  /** Cache of the HTTP/2 codec: pseudo-header fields and fields as HPACK. */
  hpackBlock: Buffer | undefined = undefined;
  /** Cache of the HTTP/1 codec: the request line; '' when it can't be written. */
  http1Line: string | undefined = undefined;
  /** Owned by the stage that normalizes paths: this head with the normal form of its path, and by which rules; '' and undefined: not yet known. */
  normal: RequestHead | undefined = undefined;
  normalizedBy = '';
  /** Owned by the stage that matches routes: everything that was decided about this head, for one config version. */
  plan: object | undefined = undefined;

  constructor(
    method: string,
    scheme: string,
    authority: string,
    path: string,
    fields: Fields,
    protocol = '',
    link?: LinkInfo,
    rpcMethod?: string,
  ) {
    this.method = method;
    this.scheme = scheme;
    this.authority = authority;
    this.path = path;
    this.fields = fields;
    this.protocol = protocol;
    this.link = link;
    this.rpcMethod = rpcMethod;
  }
}

/** Whether the app gets the request by HTTP/2 though nobody declared that. Upgrades go by HTTP/1.1, as everywhere. */
export const staysHttp2 = ({ fields, protocol }: RequestHead): boolean =>
  fields.http1Shape === HTTP2_SHAPE && protocol === '';

/** How the peer's sidecar marked an answer of its own. */
export interface MeshAnswer {
  /** `x-outrider-flag`. */
  readonly flag: string;
  /** `outrider-processed: no`: the app has seen nothing of the request. */
  readonly notProcessed: boolean;
}

/** The head of a response. `status` 101 is the success of an Upgrade, whatever the protocol on the wire says. */
export class ResponseHead {
  readonly status: number;
  readonly fields: Fields;
  /** Set when the peer's sidecar made this answer itself; only on heads that came over the link. */
  readonly mesh: MeshAnswer | undefined;
  /** Cache of the HTTP/2 codec: `:status` and the fields as HPACK. */
  hpackBlock: Buffer | undefined = undefined;
  /** Cache of the HTTP/1 codec: the answer with this head that was written last. */
  http1Written: object | undefined = undefined;
  /** Owned by the recording stage. */
  plan: object | undefined = undefined;

  constructor(status: number, fields: Fields, mesh?: MeshAnswer) {
    this.status = status;
    this.fields = fields;
    this.mesh = mesh;
  }
}
