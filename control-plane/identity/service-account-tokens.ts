/**
 * Tokens of service accounts: JWTs as Kubernetes makes them, signed with ES256 by a key in the data directory. With one a
 * sidecar gets its first certificate.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { createKeyPair, formatPrivateKey } from '../../certs/certificate-authority.ts';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import type { Clock } from '../../common/clock.ts';
import { readDataFile, writeDataFile } from './data-file.ts';

const KEY_FILE = 'token-key.pem';
/** Who accepts a token that names nobody else: the sidecar channel of the mesh's control plane. */
export const CHANNEL_AUDIENCE = 'outrider-channel';
/** Clocks may differ by this much. */
const LEEWAY_SECONDS = 60;
/** Longer than any token that we make. */
const MAX_TOKEN_CHARACTERS = 8_192;

export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `metadata.uid` of the ServiceAccount: a later one of the same name is another one. */
  readonly uid: string;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

export type TokenReason =
  | 'token_malformed'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_audience'
  | 'token_signature';

/** Immutable but for nothing; owned by the control plane. */
export class ServiceAccountTokens {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #issuer: string;
  readonly #clock: Clock;

  /** Makes the key at the first start. @throws when the file is not a private key. */
  static open(dataDir: string, trustDomain: string, clock: Clock): ServiceAccountTokens {
    let pem = readDataFile(dataDir, KEY_FILE);
    if (pem === undefined) {
      pem = formatPrivateKey(createKeyPair().privateKey);
      writeDataFile(dataDir, KEY_FILE, pem);
    }
    return new ServiceAccountTokens(createPrivateKey(pem), trustDomain, clock);
  }

  constructor(privateKey: KeyObject, trustDomain: string, clock: Clock) {
    this.#privateKey = privateKey;
    this.#publicKey = createPublicKey(privateKey);
    this.#keyId = hash('sha256', this.#publicKey.export({ type: 'spki', format: 'pem' }), 'base64url').slice(0, 16);
    this.#issuer = `https://control-plane.${trustDomain}`;
    this.#clock = clock;
  }

  /** `audiences` empty: the sidecar channel. */
  async issue(subject: TokenSubject, audiences: readonly string[], expirationSeconds: number): Promise<IssuedToken> {
    const now = Math.floor(this.#clock.wallMs() / 1_000);
    const token = await new SignJWT({
      'kubernetes.io': {
        namespace: subject.namespace,
        serviceaccount: { name: subject.serviceAccount, uid: subject.uid },
      },
    })
      .setProtectedHeader({ alg: 'ES256', kid: this.#keyId, typ: 'JWT' })
      .setIssuer(this.#issuer)
      .setSubject(`system:serviceaccount:${subject.namespace}:${subject.serviceAccount}`)
      .setAudience(audiences.length > 0 ? [...audiences] : [CHANNEL_AUDIENCE])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + expirationSeconds)
      .sign(this.#privateKey);
    return { token, expiresAtMs: (now + expirationSeconds) * 1_000 };
  }

  /** Whose token it is, if it is one of ours, for this audience and valid now. Whether the account still exists is for the caller to look up. */
  async verify(token: string, audience: string): Promise<TokenSubject | Refusal<TokenReason>> {
    if (token.length > MAX_TOKEN_CHARACTERS) return refuse('token_malformed', 'The token is longer than any of ours.');
    try {
      if (decodeProtectedHeader(token).kid !== this.#keyId)
        return refuse(
          'token_signature',
          'The token was not issued by this control plane; ask it for one with `outrider token`.',
        );
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: ['ES256'],
        issuer: this.#issuer,
        audience,
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(this.#clock.wallMs()),
        requiredClaims: ['exp', 'sub'],
      });
      return readSubject(payload['kubernetes.io']);
    } catch (error) {
      return asRefusal(error, audience);
    }
  }
}

const readSubject = (claim: unknown): TokenSubject | Refusal<TokenReason> => {
  const { namespace, serviceaccount } = (claim ?? {}) as {
    namespace?: unknown;
    serviceaccount?: { name?: unknown; uid?: unknown };
  };
  const { name, uid } = serviceaccount ?? {};
  return typeof namespace === 'string' && typeof name === 'string' && typeof uid === 'string'
    ? { namespace, serviceAccount: name, uid }
    : refuse('token_malformed', 'The token names no service account.');
};

const asRefusal = (error: unknown, audience: string): Refusal<TokenReason> => {
  if (error instanceof errors.JWTExpired)
    return refuse('token_expired', 'The token has expired; get a new one with `outrider token`.');
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')
    return refuse('token_audience', `The token is not for the audience ${audience}.`);
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf')
    return refuse('token_not_yet_valid', 'The token is not valid yet; compare the clocks of the two machines.');
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed)
    return refuse('token_signature', 'The signature of the token is wrong.');
  return refuse('token_malformed', 'The token is not a service account token of this control plane.');
};
