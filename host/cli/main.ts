#!/usr/bin/env node
// The process of the command.
import { Exit } from './failure.js';
import { runCommand } from './program.js';

const exit = await runCommand(process.argv.slice(2));
// A command that ran to its end may have set a code of its own.
if (exit !== Exit.Done) process.exitCode = exit;
