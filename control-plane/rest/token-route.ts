/** `POST …/serviceaccounts/NAME/token`: bootstrap tokens. Kubernetes TokenRequest. */

import type { FastifyInstance } from 'fastify';
import { Admitter } from '../../api/admission.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';
import { TOKEN_REQUEST_SCHEMA, type TokenRequest } from '../../api/token-request.ts';
import { timestamp } from '../store/next-object.ts';
import { readObject } from './read-body.ts';
import { type Query, writeOptions } from './request-options.ts';
import { invalid } from './status.ts';

/** What the identity half gives. */
export interface IssuedToken {
  readonly token: string;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
}

/** @throws StoreError `not-found` when there is no such account. */
export type IssueToken = (request: {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Empty: the sidecar channel. */
  readonly audiences: readonly string[];
  readonly lifetimeMs: number;
}) => Promise<IssuedToken>;

const TOKEN_REQUEST: ResourceKind<TokenRequest> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  plural: 'tokenrequests',
  singular: 'tokenrequest',
  shortNames: [],
  namespaced: true,
  writable: true,
  description: 'Asks for a token.',
  schema: TOKEN_REQUEST_SCHEMA,
  required: [],
  columns: [],
};

export const addTokenRoute = (app: FastifyInstance, issueToken: IssueToken): void => {
  const admitter = new Admitter();
  app.post('/api/v1/namespaces/:namespace/serviceaccounts/:name/token', async (request, reply) => {
    const { namespace, name } = request.params as { namespace: string; name: string };
    const body = readObject(request.body, request.headers['content-type']) as Partial<TokenRequest>;
    const input = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      ...body,
      metadata: { ...body.metadata, name, namespace },
    };
    const { unknownFields } = writeOptions(request.query as Query);
    const { object, causes } = admitter.admit(TOKEN_REQUEST, input, unknownFields);
    if (causes.length > 0) throw invalid(TOKEN_REQUEST, name, causes);
    const { spec } = object as TokenRequest;
    const issued = await issueToken({
      namespace,
      serviceAccount: name,
      audiences: spec.audiences,
      lifetimeMs: spec.expirationSeconds * 1_000,
    });
    return reply
      .code(201)
      .send({ ...object, status: { token: issued.token, expirationTimestamp: timestamp(issued.expiresAtMs) } });
  });
};
