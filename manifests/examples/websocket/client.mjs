/** Two guests of the chat room, which is at the local port that OUTRIDER_UPSTREAM_CHAT names. */
import { on, once } from 'node:events';
import { WebSocket } from 'ws';

const enter = name => {
  const socket = new WebSocket(`ws://${process.env.OUTRIDER_UPSTREAM_CHAT}/${name}`);
  const messages = on(socket, 'message');
  return { socket, say: data => socket.send(data), hear: async () => String((await messages.next()).value[0]) };
};

const ann = enter('ann');
console.log(await ann.hear());
const ben = enter('ben');
console.log(await ben.hear());

ann.say('hello');
console.log('one message, its answer:', await ann.hear());
console.log('pushed to the other:', await ben.hear());

for (const bid of [10, 20, 30]) ben.say(`I bid ${bid}`);
for (let i = 0; i < 3; i++) console.log('at once, in order:', await ann.hear());

ann.say(Buffer.alloc(100_000));
for (let i = 0; i < 3; i++) await ben.hear();
console.log('binary:', await ben.hear());

ann.socket.close(4000, 'bye');
const [code, reason] = await once(ann.socket, 'close');
console.log('closed:', code, String(reason));
ben.socket.close();
