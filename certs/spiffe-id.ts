/** SPIFFE ids: who a workload is, as a URI. Source: SPIFFE-ID §2. */
import { type Refusal, refuse } from './refusal.ts';

export interface SpiffeId {
  /** The whole id; scheme and trust domain in lower case, so that equal ids are equal strings. */
  readonly uri: string;
  readonly trustDomain: string;
  /** With its leading slash; '' for the id of the trust domain itself. */
  readonly path: string;
  /** Of an id of the form `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`; '' for every other. */
  readonly namespace: string;
  readonly serviceAccount: string;
}

export type SpiffeIdReason =
  `spiffe_id_${'too_long' | 'scheme' | 'authority' | 'query' | 'fragment' | 'trust_domain' | 'path'}`;

/** SPIFFE-ID §2.3. */
export const MAX_ID_BYTES = 2_048;
const MAX_TRUST_DOMAIN_BYTES = 255;

const TRUST_DOMAIN = /^[a-zA-Z0-9._-]+$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;
const WORKLOAD_PATH = /^\/ns\/([^/]+)\/sa\/([^/]+)$/;

/** A trust domain's name in lower case, or why it is none. */
export const parseTrustDomain = (
  name: string,
): { readonly trustDomain: string } | Refusal<'spiffe_id_trust_domain'> => {
  // Looked at before it is put in lower case: letters of other alphabets may become ASCII there.
  return name.length <= MAX_TRUST_DOMAIN_BYTES && TRUST_DOMAIN.test(name)
    ? { trustDomain: name.toLowerCase() }
    : refuse(
        'spiffe_id_trust_domain',
        `A trust domain has 1 to ${MAX_TRUST_DOMAIN_BYTES} letters, digits, dots, dashes and underscores.`,
      );
};

const isSegment = (segment: string): boolean => SEGMENT.test(segment) && segment !== '.' && segment !== '..';

/** Takes an id apart. Strict: nothing is unescaped, trimmed or resolved. */
export const parseSpiffeId = (text: string): SpiffeId | Refusal<SpiffeIdReason> => {
  if (text.length > MAX_ID_BYTES) return refuse('spiffe_id_too_long', `A SPIFFE id has at most ${MAX_ID_BYTES} bytes.`);
  if (text.slice(0, 9).toLowerCase() !== 'spiffe://')
    return refuse('spiffe_id_scheme', 'A SPIFFE id begins with spiffe://.');
  if (text.includes('?')) return refuse('spiffe_id_query', 'A SPIFFE id has no query.');
  if (text.includes('#')) return refuse('spiffe_id_fragment', 'A SPIFFE id has no fragment.');
  const slash = text.indexOf('/', 9);
  const authority = slash === -1 ? text.slice(9) : text.slice(9, slash);
  const path = slash === -1 ? '' : text.slice(slash);
  if (/[@:]/.test(authority)) return refuse('spiffe_id_authority', 'A SPIFFE id has no user and no port.');
  const domain = parseTrustDomain(authority);
  if ('reason' in domain) return domain;
  if (path !== '' && !path.slice(1).split('/').every(isSegment)) {
    return refuse(
      'spiffe_id_path',
      'The path of a SPIFFE id has segments of letters, digits, dots, dashes and underscores, none empty, "." or "..".',
    );
  }
  const workload = WORKLOAD_PATH.exec(path);
  return {
    uri: `spiffe://${domain.trustDomain}${path}`,
    trustDomain: domain.trustDomain,
    path,
    namespace: workload?.[1] ?? '',
    serviceAccount: workload?.[2] ?? '',
  };
};

/** The id of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`, as Istio and Linkerd write it. */
export const createWorkloadId = (
  trustDomain: string,
  namespace: string,
  serviceAccount: string,
): SpiffeId | Refusal<SpiffeIdReason> => {
  // Checked apart, because a slash inside a part would make the path of somebody else.
  const domain = parseTrustDomain(trustDomain);
  if ('reason' in domain) return domain;
  if (!isSegment(namespace) || !isSegment(serviceAccount)) {
    return refuse(
      'spiffe_id_path',
      'A namespace and a service account have letters, digits, dots, dashes and underscores only.',
    );
  }
  return parseSpiffeId(`spiffe://${domain.trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
};
