/** What the sidecar listens on in a pod, and so no container of the app may. The pod's network is its own, so they can be fixed. */
export const SIDECAR_PORTS = {
  admin: 15_000,
  outbound: 15_001,
  inbound: 15_006,
  metrics: 15_020,
} as const;
