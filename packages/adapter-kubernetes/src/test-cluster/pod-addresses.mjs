/** Loaded into a process that speaks to pods by their addresses: 10.x.y.z is at 127.x.y.z here, as for the pods themselves. */
import net from 'node:net';

const { connect } = net;
net.connect = (options, ...rest) =>
  connect(
    typeof options?.host === 'string' ? { ...options, host: options.host.replace(/^10\./, '127.') } : options,
    ...rest,
  );
