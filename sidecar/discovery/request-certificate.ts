/** `POST /v1/certificates`: a CSR out, a chain in. */
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { channelRequest } from './channel-request.ts';
import type { ControlPlaneTls } from './control-plane-tls.ts';

export interface CertificateAnswer {
  readonly certificatePem: string;
  readonly trustBundlePem: string;
  /** The server's wall clock. */
  readonly serverTimeMs: number;
}

/** `unauthorized`: what we showed is no longer good, a token may be. */
export type CertificateRequestReason = 'unreachable' | 'unauthorized' | 'refused' | 'malformed_answer';

/** `token`: bearer token; undefined: the certificate in `tls` proves who we are. Never rejects. */
export const requestCertificate = async (
  url: string,
  tls: ControlPlaneTls,
  token: string | undefined,
  csrPem: string,
): Promise<CertificateAnswer | Refusal<CertificateRequestReason>> => {
  const answer = await channelRequest(url, tls, 'certificate', {
    method: 'POST',
    path: '/v1/certificates',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ csr: csrPem }),
  });
  if ('reason' in answer) return answer;
  const { status, text } = answer;
  const members = readObject(text);
  const { certificate, trustBundle, serverTime, message } = members ?? {};
  if (status !== 200)
    return refuse(
      status === 401 ? 'unauthorized' : 'refused',
      `${url} answers ${status}: ${typeof message === 'string' ? message : ''}`,
    );
  const serverTimeMs = Date.parse(String(serverTime));
  if (typeof certificate !== 'string' || typeof trustBundle !== 'string' || Number.isNaN(serverTimeMs))
    return refuse('malformed_answer', `The answer of ${url} is not a certificate.`);
  return { certificatePem: certificate, trustBundlePem: trustBundle, serverTimeMs };
};

const readObject = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
};
