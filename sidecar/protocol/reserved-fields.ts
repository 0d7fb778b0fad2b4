/** Names that only the mesh itself may use: what an app sends under them is dropped, in both directions (docs: the mesh link). */
export const isReserved = (name: string): boolean =>
  name.startsWith('outrider-') || name.startsWith('x-outrider-') || name === 'x-forwarded-client-cert';
