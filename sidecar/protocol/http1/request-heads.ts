/** Request heads of one listener, interned: the same object for the same bytes. Owned by the listener; shared by its connections. */
export class Http1RequestHeads {}
