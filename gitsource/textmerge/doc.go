// Package textmerge merges two changed copies of a text, line by line, as Git does: the changes that each copy made
// to their common base are found (by the histogram of lines, which is what Git's merges use), and the merge is clean
// when no change of one copy overlaps or touches another one of the other, or when both made the same.
//
// It is pure, and bounded: texts come from strangers, and a text can be made to cost. What is found when the budget is
// used up is coarser, never wrong: the merge then reports a conflict where more work might have found none.
package textmerge
