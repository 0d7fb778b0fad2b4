import type { HeadLabels, Outcome, RequestLabels } from '../../../../sidecar/telemetry/labels.ts';

export const HEAD: HeadLabels = {
  reporter: 'source',
  source_service: 'web',
  source_namespace: 'shop',
  source_principal: 'spiffe://mesh.local/ns/shop/sa/web',
  destination_service: 'payments',
  destination_namespace: 'shop',
  destination_principal: 'spiffe://mesh.local/ns/shop/sa/payments',
  route: 'shop/payments/0',
  method: '',
  request_protocol: 'http1',
  connection_security_policy: 'mutual_tls',
};

export const OK: Outcome = { status: 200, grpcStatus: '', error: undefined, peerFlag: '' };

/** The labels of a good request, with changes. */
export const labels = (changes: Partial<RequestLabels> = {}): RequestLabels => ({
  ...HEAD,
  method: '',
  response_code: '200',
  grpc_response_status: '',
  response_flags: '-',
  ...changes,
});
