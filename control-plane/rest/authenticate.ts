/** Who may use the REST API: whoever holds the admin token. RFC 6750. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from './status.ts';

/** Checks an `Authorization` header, in a time that does not tell how much of the token was right. @throws ApiError */
export const createAuthenticator = (adminToken: string): ((authorization: string | undefined) => void) => {
  // Digests have one length, which the comparison needs; and this file then keeps no copy of the token.
  const expected = digest(adminToken);
  return authorization => {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    if (token === undefined)
      throw new ApiError(
        'Unauthorized',
        'a bearer token is needed: send "Authorization: Bearer TOKEN" with the content of the file admin-token',
      );
    if (!timingSafeEqual(digest(token), expected))
      throw new ApiError('Unauthorized', 'the bearer token is not the admin token of this control plane');
  };
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
