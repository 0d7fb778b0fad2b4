/** `POST /v1/certificates`: a CSR out, a chain in. */
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { type ControlPlaneTls, controlPlaneTls } from './control-plane-tls.ts';

export interface CertificateAnswer {
  readonly certificatePem: string;
  readonly trustBundlePem: string;
  /** The server's wall clock. */
  readonly serverTimeMs: number;
}

/** `unauthorized`: what we showed is no longer good, a token may be. */
export type CertificateRequestReason = 'unreachable' | 'unauthorized' | 'refused' | 'malformed_answer';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 1_048_576;

/** `token`: bearer token; undefined: the certificate in `tls` proves who we are. Never rejects. */
export const requestCertificate = async (
  url: string,
  tls: ControlPlaneTls,
  token: string | undefined,
  csrPem: string,
): Promise<CertificateAnswer | Refusal<CertificateRequestReason>> => {
  // Loaded when it is needed: a sidecar that finds its certificate in the state folder starts without it.
  const { Client } = await import('undici');
  const client = new Client(new URL(url).origin, {
    connect: { ...controlPlaneTls(tls), timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  try {
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: '/v1/certificates',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ csr: csrPem }),
    });
    const answer = (await body.json()) as Readonly<Record<string, unknown>>;
    if (statusCode !== 200)
      return refuse(
        statusCode === 401 ? 'unauthorized' : 'refused',
        `${url} answers ${statusCode}: ${String(answer.message)}`,
      );
    const { certificate, trustBundle, serverTime } = answer;
    const serverTimeMs = Date.parse(String(serverTime));
    if (typeof certificate !== 'string' || typeof trustBundle !== 'string' || Number.isNaN(serverTimeMs))
      return refuse('malformed_answer', `The answer of ${url} is not a certificate.`);
    return { certificatePem: certificate, trustBundlePem: trustBundle, serverTimeMs };
  } catch (error) {
    return refuse(
      'unreachable',
      `No certificate from ${url}: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    await client.destroy();
  }
};
