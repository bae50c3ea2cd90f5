/** Ends this process group when its parent is gone: then descriptor 4 ends. */
import { Socket } from 'node:net';

const parent = new Socket({ fd: 4, readable: true, writable: false });
parent.on('close', () => process.kill(-process.pid, 'SIGKILL'));
parent.on('error', () => {});
parent.resume();
