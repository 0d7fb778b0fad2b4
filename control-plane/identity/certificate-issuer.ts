/** Who may have which certificate: the identity asked for must be the caller's own, to the letter. */
import { randomUUID } from 'node:crypto';
import type { BaseLogger } from 'pino';
import { type CsrReason, checkCsr } from '../../certs/csr.ts';
import { type IssuedCertificate, issueCertificate } from '../../certs/issue-certificate.ts';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import type { Clock } from '../../common/clock.ts';
import type { MeshAuthority } from './mesh-authority.ts';

/** Who asks, as proven by a token or by the certificate that they have. */
export interface Caller {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly by: 'token' | 'certificate';
  /** Address of the connection, for the audit log. */
  readonly address: string;
}

export interface IssuerOptions {
  readonly mesh: MeshAuthority;
  /** Default of the product: 24 h. */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  /** Gets one line for each certificate. */
  readonly audit: BaseLogger;
}

export type IssueReason = CsrReason | 'identity_of_another' | 'caller_without_identity';

/** Owned by the control plane; lives as long as it. */
export class CertificateIssuer {
  readonly #options: IssuerOptions;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  issue(caller: Caller, csrPem: string): IssuedCertificate | Refusal<IssueReason> {
    const { mesh, lifetimeMs, clock, audit } = this.#options;
    const { namespace, serviceAccount, by, address } = caller;
    const own = createWorkloadId(mesh.authority.trustDomain, namespace, serviceAccount);
    if ('reason' in own)
      return refuse('caller_without_identity', `The caller cannot have an identity: ${own.sentence}`);
    const csr = checkCsr(csrPem);
    if ('reason' in csr) return csr;
    if (csr.id.uri !== own.uri)
      return refuse(
        'identity_of_another',
        `The request is for ${csr.id.uri}; the caller is ${own.uri} and gets a certificate for that alone.`,
      );
    const issued = issueCertificate(mesh.authority, {
      id: own,
      publicKey: csr.publicKey,
      nowMs: clock.wallMs(),
      lifetimeMs,
    });
    audit.info(
      {
        audit: randomUUID(),
        identity: own.uri,
        by,
        peer: address,
        notAfter: new Date(issued.notAfterMs).toISOString(),
      },
      'certificate issued',
    );
    return issued;
  }
}
