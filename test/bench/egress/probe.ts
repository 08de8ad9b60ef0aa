/** probe ADDRESS PORT SECONDS: sends a small UDP packet every 20 ms and prints the round-trip times of the echoes, in ms. */
import { createSocket } from 'node:dgram';

const [address, port, seconds] = process.argv.slice(2);
const socket = createSocket('udp4');
const times: number[] = [];
socket.on('message', (message) => times.push(performance.now() - message.readDoubleBE(0)));
const sending = setInterval(() => {
  const message = Buffer.alloc(64);
  message.writeDoubleBE(performance.now());
  socket.send(message, Number(port), address);
}, 20);
setTimeout(() => clearInterval(sending), Number(seconds) * 1000);
setTimeout(
  () => {
    socket.close();
    process.stdout.write(JSON.stringify(times));
  },
  Number(seconds) * 1000 + 1000,
);
