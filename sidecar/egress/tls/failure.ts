import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';

/** Carries a `ProxyError` through a package that knows exceptions. */
export class DialFailure extends Error {
  readonly error: ProxyError;

  constructor(error: ProxyError) {
    super(error.detail);
    this.error = error;
  }
}

const NOT_WRITABLE =
  /^(?:UND_ERR_(?:INVALID_ARG|NOT_SUPPORTED)|ERR_INVALID_|ERR_HTTP2_(?:INVALID|HEADER|PSEUDOHEADER))/;
const BAD_ANSWER = /^(?:HPE_|UND_ERR_(?:HEADERS_OVERFLOW|RES_))/;

/** What a package threw, as data. `sent`: the server may have seen some of the request. */
export const failureOf = (thrown: unknown, sent: boolean): ProxyError => {
  if (thrown instanceof DialFailure) return thrown.error;
  const { code = '', message = '' } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  const cause = code || message;
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH')
    return proxyError('DOWNSTREAM_PROTOCOL', 'body_length_mismatch', cause);
  if (NOT_WRITABLE.test(code)) return proxyError('DOWNSTREAM_PROTOCOL', 'head_not_writable', cause, 'never');
  if (BAD_ANSWER.test(code)) return proxyError('UPSTREAM_PROTOCOL', 'bad_answer', cause);
  if (code === 'ERR_HTTP2_GOAWAY_SESSION') return proxyError('REFUSED', 'goaway', cause);
  if (sent) return proxyError('UPSTREAM_CLOSED', 'connection_lost', cause);
  return proxyError('CONNECT_FAILED', 'connection_failed', cause);
};
