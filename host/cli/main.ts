#!/usr/bin/env node
// The process of the command.
import { Exit } from './failure.js';
import { runCommand } from './program.js';

// Who reads no further, as in `thimble sim | head -1`, has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

const exit = await runCommand(process.argv.slice(2));
// A command that ran to its end may have set a code of its own.
if (exit !== Exit.Done) process.exitCode = exit;
