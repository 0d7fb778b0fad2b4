import { decodeJwt } from 'jose';
import t from 'tap';
import { createKeyPair } from '../../../../certs/certificate-authority.ts';
import { manualClock } from '../../../../common/clock.ts';
import { CHANNEL_AUDIENCE, ServiceAccountTokens } from '../../../../control-plane/identity/service-account-tokens.ts';

const START = Date.UTC(2026, 0, 1);
const subject = { namespace: 'shop', serviceAccount: 'web', uid: 'u-1' };

t.test('a token says whose it is in the words of Kubernetes, and is verified for its audience', async t => {
  const clock = manualClock(START);
  const tokens = new ServiceAccountTokens(createKeyPair().privateKey, 'mesh.local', clock);
  const { token, expiresAtMs } = await tokens.issue(subject, [], 600);
  t.equal(expiresAtMs, START + 600_000);
  t.match(decodeJwt(token), {
    iss: 'https://control-plane.mesh.local',
    sub: 'system:serviceaccount:shop:web',
    aud: [CHANNEL_AUDIENCE],
    'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'web', uid: 'u-1' } },
  });
  t.same(await tokens.verify(token, CHANNEL_AUDIENCE), subject);
  t.match(await tokens.verify(token, 'vault'), { reason: 'token_audience' });
  const other = await tokens.issue(subject, ['vault'], 600);
  t.same(await tokens.verify(other.token, 'vault'), subject);
});

t.test('clocks may differ by 60 s, at both ends', async t => {
  const clock = manualClock(START);
  const tokens = new ServiceAccountTokens(createKeyPair().privateKey, 'mesh.local', clock);
  const { token } = await tokens.issue(subject, [], 600);
  clock.jump(-61_000);
  t.match(await tokens.verify(token, CHANNEL_AUDIENCE), { reason: 'token_not_yet_valid' });
  clock.jump(2_000);
  t.same(await tokens.verify(token, CHANNEL_AUDIENCE), subject);
  clock.jump(59_000 + 659_000);
  t.same(await tokens.verify(token, CHANNEL_AUDIENCE), subject);
  clock.jump(2_000);
  t.match(await tokens.verify(token, CHANNEL_AUDIENCE), { reason: 'token_expired' });
});

t.test('tokens of another key, without a signature, too long or without an account are refused', async t => {
  const clock = manualClock(START);
  const key = createKeyPair().privateKey;
  const tokens = new ServiceAccountTokens(key, 'mesh.local', clock);
  const foreign = await new ServiceAccountTokens(createKeyPair().privateKey, 'mesh.local', clock).issue(
    subject,
    [],
    600,
  );
  t.match(await tokens.verify(foreign.token, CHANNEL_AUDIENCE), { reason: 'token_signature' });
  const elsewhere = await new ServiceAccountTokens(key, 'other.local', clock).issue(subject, [], 600);
  t.match(
    await tokens.verify(elsewhere.token, CHANNEL_AUDIENCE),
    { reason: 'token_malformed' },
    'another trust domain',
  );
  t.match(await tokens.verify('x'.repeat(9_000), CHANNEL_AUDIENCE), { reason: 'token_malformed' });
  const nobody = await tokens.issue({ ...subject, uid: undefined as never }, [], 600);
  t.match(await tokens.verify(nobody.token, CHANNEL_AUDIENCE), { reason: 'token_malformed' });
});
