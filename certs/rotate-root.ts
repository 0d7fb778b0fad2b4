/**
 * Replacing the mesh's root without a pause. Both roots are trusted while either's certificates may be in use; they are never
 * cross-signed, because Node's peers don't build branching paths. Pure: the owner of the authorities keeps the state.
 *
 *   alone ─begin─▶ spreading ─(spreadMs)─▶ replacing ─(lifetime of a leaf)─▶ alone, with the new root
 *
 * spreading: the old root signs, every sidecar learns to trust the new one. replacing: the new root signs, leaves of the old one
 * run out.
 */

/** Plain JSON, so that it can be stored. */
export interface RootRotation {
  readonly startedMs: number;
  /** How long every sidecar has to learn of the new root. */
  readonly spreadMs: number;
  /** The longest life of a certificate that the old root may have signed, its backdating left out. */
  readonly leafLifetimeMs: number;
}

export type RotationPhase = 'spreading' | 'replacing' | 'done';

export const rotationPhase = (rotation: RootRotation, nowMs: number): RotationPhase => {
  const passedMs = nowMs - rotation.startedMs;
  if (passedMs < rotation.spreadMs) return 'spreading';
  return passedMs < rotation.spreadMs + rotation.leafLifetimeMs ? 'replacing' : 'done';
};

/** Milliseconds until the phase changes; 0 when it is done. */
export const nextPhaseDelayMs = (rotation: RootRotation, nowMs: number): number => {
  const spreadEndMs = rotation.startedMs + rotation.spreadMs;
  return Math.max(0, (nowMs < spreadEndMs ? spreadEndMs : spreadEndMs + rotation.leafLifetimeMs) - nowMs);
};

export interface RootRoles<Root> {
  /** Signs from now on. */
  readonly signing: Root;
  /** In the trust bundle: the signing one first. */
  readonly trusted: readonly Root[];
}

/** Which root does what, now. */
export const rootRoles = <Root>(outgoing: Root, incoming: Root, phase: RotationPhase): RootRoles<Root> => {
  switch (phase) {
    case 'spreading':
      return { signing: outgoing, trusted: [outgoing, incoming] };
    case 'replacing':
      return { signing: incoming, trusted: [incoming, outgoing] };
    case 'done':
      return { signing: incoming, trusted: [incoming] };
  }
};

/** True when a rotation should begin: a fifth of the root's life is left, or less than twice what a rotation takes. */
export const isRotationDue = (
  root: { readonly notBeforeMs: number; readonly notAfterMs: number },
  rotation: Pick<RootRotation, 'spreadMs' | 'leafLifetimeMs'>,
  nowMs: number,
): boolean =>
  root.notAfterMs - nowMs <
  Math.max((root.notAfterMs - root.notBeforeMs) / 5, 2 * (rotation.spreadMs + rotation.leafLifetimeMs));
