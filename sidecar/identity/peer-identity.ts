/** Who is at the other end of a mesh connection: read once from the verified certificate, kept as long as the connection. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { MAX_CHAIN, type SvidReason, verifySvid } from '../../certs/verify-svid.ts';

export interface PeerIdentity {
  /** The SPIFFE id, as a URI. */
  readonly id: string;
  readonly trustDomain: string;
  /** Of an id `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`; '' for every other. */
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The end of its certificate (wall clock). */
  readonly notAfterMs: number;
  /** SHA-256 of its certificate, hexadecimal, lower case: `Hash` in `x-forwarded-client-cert`. */
  readonly fingerprintSha256: string;
}

/** What OpenSSL built from the peer's certificates, leaf first; of a chain that is too long, just enough to show it. */
const peerChain = (socket: TLSSocket): X509Certificate[] => {
  const chain: X509Certificate[] = [];
  let link = socket.getPeerX509Certificate();
  while (link !== undefined && chain.length <= MAX_CHAIN) {
    chain.push(link);
    link = link.issuerCertificate;
  }
  return chain;
};

/** The identity of a peer whose handshake is complete, or why it is not one of the mesh. Call it before the first byte is used. */
export const readPeerIdentity = (
  socket: TLSSocket,
  bundle: TrustBundle,
  nowMs: number,
): PeerIdentity | Refusal<SvidReason | 'not_authorized'> => {
  // OpenSSL has checked the chain for its purpose; a socket made the wrong way would be open without.
  if (!socket.authorized)
    return refuse('not_authorized', 'The TLS layer has not accepted the certificate of the peer.');
  const chain = peerChain(socket);
  const result = verifySvid(chain, bundle, nowMs);
  if ('reason' in result) return result;
  const leaf = chain[0]!;
  return {
    id: result.id.uri,
    trustDomain: result.id.trustDomain,
    namespace: result.id.namespace,
    serviceAccount: result.id.serviceAccount,
    notAfterMs: leaf.validToDate.getTime(),
    fingerprintSha256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
};
