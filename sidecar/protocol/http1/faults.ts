import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';

/** What can be wrong with an HTTP/1 message: the `detail` of the error that it becomes. */
export type Http1Fault =
  | 'bad_request_line'
  | 'bad_status_line'
  | 'bad_method'
  | 'bad_target'
  | 'bad_version'
  | 'http2_preface'
  | 'bad_line_end'
  | 'control_character'
  | 'obs_fold'
  | 'space_before_colon'
  | 'bad_field_name'
  | 'bad_field_value'
  | 'host_missing'
  | 'host_repeated'
  | 'bad_host'
  | 'bad_content_length'
  | 'content_length_repeated'
  | 'bad_transfer_encoding'
  | 'unknown_transfer_coding'
  | 'transfer_encoding_with_content_length'
  | 'transfer_encoding_in_http_1_0'
  | 'body_with_connect'
  | 'connect_not_allowed'
  | 'bad_chunk'
  | 'chunk_extensions_too_long'
  | 'bad_trailer'
  | 'trailers_too_long'
  | 'body_cut_short'
  | 'request_head_timeout'
  | 'request_line_too_long'
  | 'head_too_large'
  | 'too_many_fields'
  | 'unexpected_101'
  | 'upgrade_ignored'
  | 'too_many_informational'
  | 'unexpected_bytes';

/** The error of a request. */
export const requestFault = (fault: Http1Fault): ProxyError => {
  if (fault === 'request_line_too_long') return proxyError('URI_TOO_LONG', fault);
  if (fault === 'head_too_large' || fault === 'too_many_fields') return proxyError('HEAD_TOO_LARGE', fault);
  if (fault === 'request_head_timeout') return proxyError('REQUEST_TIMEOUT', fault);
  if (fault === 'unknown_transfer_coding') return proxyError('NOT_IMPLEMENTED', fault);
  return proxyError('DOWNSTREAM_PROTOCOL', fault);
};

/** The error of a response. */
export const responseFault = (fault: Http1Fault): ProxyError => proxyError('UPSTREAM_PROTOCOL', fault);
