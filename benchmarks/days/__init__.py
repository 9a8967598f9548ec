"""Equal days, one after the other: does a day take more when more days lie behind it?"""
