// The contract of boards, on an emulated Cortex-M0.
import { describeBoard } from './contract.js';

describeBoard('microbit');
