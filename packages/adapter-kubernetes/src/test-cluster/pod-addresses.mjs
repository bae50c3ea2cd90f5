/** Loaded into a process that speaks to pods by their addresses: 10.x.y.z is at 127.POD_NETWORK.y.z here. */
import { Agent } from 'node:http';

const { createConnection } = Agent.prototype;
const network = `127.${process.env.POD_NETWORK}.`;
Agent.prototype.createConnection = function connect(options, ...rest) {
  return createConnection.call(this, { ...options, host: options.host.replace(/^10\.\d+\./, network) }, ...rest);
};
