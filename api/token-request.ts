/** `TokenRequest`: what is posted to a ServiceAccount's subresource `token`. Kubernetes authentication.k8s.io/v1. */

import type { ApiObject } from './object.ts';
import { ignored, integer, list, object, type Schema, text } from './schema.ts';

export interface TokenRequest extends ApiObject {
  readonly apiVersion: 'authentication.k8s.io/v1';
  readonly kind: 'TokenRequest';
  readonly spec: {
    /** Who may accept the token; empty: the control plane's sidecar channel. */
    readonly audiences: readonly string[];
    /** Default 3600. */
    readonly expirationSeconds: number;
  };
  readonly status?: {
    /** The JWT. */
    readonly token: string;
    /** RFC 3339. */
    readonly expirationTimestamp: string;
  };
}

export const TOKEN_REQUEST_SCHEMA: Readonly<Record<string, Schema>> = {
  spec: object(
    'What is asked for.',
    {
      audiences: list('Who may accept the token. Empty: the sidecar channel of this control plane.', text(''), {
        maxItems: 16,
        default: [],
      }),
      expirationSeconds: integer('Lifetime in seconds.', 600, 31_536_000, { default: 3_600 }),
      boundObjectRef: ignored('object', 'the token holds until it expires'),
    },
    { default: {} },
  ),
  status: object('The answer.', {
    token: text('The JWT.'),
    expirationTimestamp: text('RFC 3339.'),
  }),
};
