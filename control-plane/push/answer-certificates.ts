/** `POST /v1/certificates`: `{"csr": PEM}` in, chain, trust bundle and the server's time out. */
import type { Readable } from 'node:stream';
import type { Clock } from '../../common/clock.ts';
import type { Caller, IssueReason } from '../identity/certificate-issuer.ts';
import type { Identities } from '../identity/identities.ts';
import { type ErrorAnswer, errorAnswer } from './error-answer.ts';

/** A request holds a CSR of at most 8 KiB. */
const MAX_BODY_BYTES = 65_536;

export const answerCertificates = async (
  request: Readable,
  caller: Caller,
  { issuer, mesh }: Pick<Identities, 'issuer' | 'mesh'>,
  clock: Clock,
): Promise<ErrorAnswer> => {
  const body = await readBody(request);
  if (body === undefined)
    return errorAnswer(413, 'RequestEntityTooLarge', `The body must be at most ${MAX_BODY_BYTES} bytes.`);
  const csr = readCsr(body);
  if (csr === undefined)
    return errorAnswer(
      400,
      'BadRequest',
      'The body must be a JSON object with the member "csr": a PKCS #10 request in PEM.',
    );
  const issued = issuer.issue(caller, csr);
  if ('reason' in issued) return errorAnswer(...statusOf(issued.reason), issued.sentence);
  return {
    status: 200,
    body: {
      certificate: issued.chainPem,
      trustBundle: mesh.bundle.pem,
      notAfter: new Date(issued.notAfterMs).toISOString(),
      serverTime: new Date(clock.wallMs()).toISOString(),
    },
  };
};

const statusOf = (reason: IssueReason): readonly [number, string] => {
  if (reason === 'identity_of_another' || reason === 'caller_without_identity') return [403, 'Forbidden'];
  if (reason === 'csr_malformed') return [400, 'BadRequest'];
  if (reason === 'csr_too_large') return [413, 'RequestEntityTooLarge'];
  return [422, 'Invalid'];
};

const readCsr = (body: string): string | undefined => {
  try {
    const { csr } = JSON.parse(body) as { csr?: unknown };
    return typeof csr === 'string' ? csr : undefined;
  } catch {
    return undefined;
  }
};

/** Undefined: it is too long; the rest is not read. */
const readBody = async (request: Readable): Promise<string | undefined> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};
