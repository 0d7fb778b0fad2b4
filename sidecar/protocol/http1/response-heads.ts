/** Response heads from one group of upstreams, interned. Owned by the pool; shared by its connections. */
export class Http1ResponseHeads {}
