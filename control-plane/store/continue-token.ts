/** The opaque token of a list that goes on. */

/** Where a list goes on: after this object, and as of which version. */
export interface ListPosition {
  readonly version: string;
  readonly namespace: string;
  readonly name: string;
}

export const writeToken = ({ version, namespace, name }: ListPosition): string =>
  Buffer.from(`${version}/${namespace}/${name}`).toString('base64url');

/** Undefined when this is none of our tokens. */
export const readToken = (token: string): ListPosition | undefined => {
  const [, version, namespace, name] =
    /^(\d+)\/([^/]*)\/([^/]+)$/.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  return version === undefined || namespace === undefined || name === undefined
    ? undefined
    : { version, namespace, name };
};
