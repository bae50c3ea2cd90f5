import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

const TICK_MS = 1000;

/** Time of this machine, once a second: ages grow also if nothing is read. */
export function useNowMs(): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now.value;
}
