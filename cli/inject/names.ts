/** What in a pod is ours, by name. */

export const SIDECAR = 'outrider-sidecar';
export const INIT = 'outrider-init';
/** The Secret with the token of a service account. */
export const tokenSecretName = (serviceAccount: string): string => `outrider-${serviceAccount}`;
export const TOKEN_VOLUME = 'outrider-token';
export const STATE_VOLUME = 'outrider-state';
/** Of the port that Prometheus scrapes; Kubernetes allows 15 characters. */
export const METRICS_PORT = 'outrider-prom';
