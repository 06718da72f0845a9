// The contract of boards, on WAMR on this machine.
import { describeBoard } from './contract.js';

describeBoard('linux-wamr');
