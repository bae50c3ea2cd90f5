/** Kills this process group when descriptor 4 closes: the parent is gone. */
import { Socket } from 'node:net';

const parent = new Socket({ fd: 4, readable: true, writable: false });
parent.on('close', () => process.kill(-process.pid, 'SIGKILL'));
parent.on('error', () => {});
parent.resume();
