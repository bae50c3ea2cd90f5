/** Ends this process group when its parent is gone, which closes descriptor 4. */
import { Socket } from 'node:net';

const parent = new Socket({ fd: 4, readable: true, writable: false });
parent.on('close', () => process.kill(-process.pid, 'SIGKILL'));
parent.on('error', () => {});
parent.resume();
