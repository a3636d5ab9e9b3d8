"""COCO+LVIS (section 4.2): the rule, the file that holds the result, and how it is made."""
