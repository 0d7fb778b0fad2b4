/** `GET /v1/trust-bundle`: the roots of the mesh as they are now. */
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { channelRequest } from './channel-request.ts';
import type { ControlPlaneTls } from './control-plane-tls.ts';

export type TrustBundleRequestReason = 'unreachable' | 'refused';

/** PEM, unchecked; from a control plane that the present roots know. Never rejects. */
export const requestTrustBundle = async (
  url: string,
  tls: ControlPlaneTls,
): Promise<string | Refusal<TrustBundleRequestReason>> => {
  const answer = await channelRequest(url, tls, 'trust bundle', { method: 'GET', path: '/v1/trust-bundle' });
  if ('reason' in answer) return answer;
  return answer.status === 200 ? answer.text : refuse('refused', `${url} answers ${answer.status}.`);
};
