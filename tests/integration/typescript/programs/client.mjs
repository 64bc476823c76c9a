// What the programs share: the client as the README makes it, a scenario, and the end of what they made.
import { Runloop } from '@runloop/api-client';

export const client = new Runloop({
  baseURL: process.env.RUNLOOP_BASE_URL,
  bearerToken: process.env.RUNLOOP_API_KEY,
});

export const makeScenario = (name) =>
  client.scenarios.create({
    name,
    input_context: { problem_statement: 'Write the word hello to the file out.txt.' },
    scoring_contract: {
      scoring_function_parameters: [
        {
          name: 'said-it',
          weight: 1.0,
          scorer: {
            type: 'bash_script_scorer',
            bash_script: 'grep -qx hello ~/out.txt && echo score=1.0 || echo score=0.0',
          },
        },
      ],
    },
  });

/** Run `work` with a devbox that is gone afterwards. */
export async function withDevbox(work) {
  const devbox = await client.devboxes.createAndAwaitRunning({ name: 'from TypeScript' });
  try {
    await work(devbox);
  } finally {
    await client.devboxes.shutdown(devbox.id);
  }
}
