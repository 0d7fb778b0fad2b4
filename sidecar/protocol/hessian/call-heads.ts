import { fieldValue, RequestHead } from '../head.ts';

/** What Caucho's library sends and answers with, and what Spring answers with. */
const CONTENT_TYPE = /^(?:x-application\/hessian|application\/x-hessian)[\t ]*(?:;|$)/i;
export const HESSIAN_CONTENT_TYPE = 'x-application/hessian';

/** The content type says that the body is Hessian; parameters do not matter. */
export const saysHessian = (head: RequestHead): boolean => {
  const type = fieldValue(head.fields.list, 'content-type');
  return type !== undefined && CONTENT_TYPE.test(type);
};

/** Methods come from the network, so the heads that are kept have a limit; a full table is emptied. */
const MAX_HEADS = 1_000;

/** The request heads of calls, the same object for the same head and method: all that is derived from it is kept there. Owned by a listener's state or a peer's connection. */
export class HessianHeads {
  private heads = new WeakMap<RequestHead, Map<string, RequestHead>>();
  private size = 0;

  get(head: RequestHead, rpcMethod: string): RequestHead {
    let methods = this.heads.get(head);
    const known = methods?.get(rpcMethod);
    if (known !== undefined) return known;
    if (this.size >= MAX_HEADS) {
      this.heads = new WeakMap();
      this.size = 0;
      methods = undefined;
    }
    const { method, scheme, authority, path, fields, protocol, link } = head;
    const made = new RequestHead(method, scheme, authority, path, fields, protocol, link, rpcMethod);
    this.size++;
    if (methods === undefined) this.heads.set(head, new Map([[rpcMethod, made]]));
    else methods.set(rpcMethod, made);
    return made;
  }
}
